# From keepalived's configuration of lb1 and lb2, by `quorate import keepalived`.

router "A" {
  vrid      = 51
  interface = "eth0"
  addresses = ["192.0.2.1/24"]
  version   = 2
  unicast   = true

  placement "score" { hold = "3s" }
  director "lb1" { score = 150 }
  director "lb2" { score = 100 }
}

router "B" {
  vrid      = 52
  interface = "eth1"
  addresses = ["198.51.100.1/24"]
  version   = 2
  preempt   = false
  unicast   = true

  peer "198.51.100.12" {}
  peer "198.51.100.99" {}
  peer "198.51.100.11" {}
  director "lb1" { score = 150 }
  director "lb2" { score = 100 }
}
