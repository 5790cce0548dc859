# From keepalived's configuration of stays, by `quorate import keepalived`.

# Priority 150 on stays. Once those of the others are known: director "stays" { score = 150 }
sync_group "G" {
  routers = ["A", "B"]
}

router "A" {
  vrid      = 51
  interface = "eth0"
  addresses = ["192.0.2.1/24"]
  version   = 2
}

router "B" {
  vrid      = 52
  interface = "eth1"
  addresses = ["198.51.100.1/24"]
  version   = 2

  auth "password" { key = "supersec" }
}

# Priority 100 on stays. Once those of the others are known: director "stays" { score = 100 }
router "C" {
  vrid      = 53
  interface = "eth2"
  addresses = ["203.0.113.1/24"]
  version   = 2
  preempt   = false
}

# Priority 100 on stays. Once those of the others are known: director "stays" { score = 100 }
router "D" {
  vrid          = 54
  interface     = "eth3"
  addresses     = ["203.0.113.129/25"]
  version       = 2
  preempt_delay = "30s"
}
