# From keepalived's configuration of lb1 and lb2, by `quorate import keepalived`.

router "VI_2" {
  vrid      = 52
  interface = "eth1"
  addresses = ["192.168.2.1/24"]
  version   = 2

  placement "score" { hold = "3s" }
  director "lb1" { score = 100 }
  director "lb2" { score = 100 }
}
