# From keepalived's configuration of a and b, by `quorate import keepalived`.
# The agent file of a needs interfaces { outside = "eth0" }.
# The agent file of b needs interfaces { outside = "eth1" }.
# The agent file of a needs interfaces { inside = "eth1" }.
# The agent file of b needs interfaces { inside = "eth0" }.

router "outside" {
  vrid      = 51
  interface = "outside"
  addresses = ["192.0.2.1/24"]
  version   = 2

  placement "score" { hold = "3s" }
  director "a" { score = 150 }
  director "b" { score = 100 }
}

router "inside" {
  vrid      = 52
  interface = "inside"
  addresses = ["198.51.100.1/24"]
  version   = 2

  placement "score" { hold = "3s" }
  director "a" { score = 150 }
  director "b" { score = 100 }
}

router "also-outside" {
  vrid      = 53
  interface = "outside"
  addresses = ["192.0.2.2/24"]
  version   = 2

  placement "score" { hold = "3s" }
  director "a" { score = 100 }
  director "b" { score = 150 }
}
