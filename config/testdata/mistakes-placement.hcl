sync_group "pair" {
  routers = ["a", "b"]
  placement "stuck" {}
}

router "a" {
  vrid      = 1
  interface = "wan"
  addresses = ["192.0.2.1/24"]
  placement "leader" {}
  director "lb1" { score = 3 }
  on_quorum_loss = "drop"
}

router "b" {
  vrid      = 2
  interface = "wan"
  addresses = ["192.0.2.2/24"]
}

router "c" {
  vrid      = 3
  interface = "wan"
  addresses = ["192.0.2.3/24"]
  placement "pinned" { hold = "25h" }
  placement "sticky" {}
  director "lb1" {}
  director "lb1" { score = 3 }
  director "l b" { score = 255 }
}

router "d" {
  vrid      = 4
  interface = "wan"
  addresses = ["192.0.2.4/24"]
  placement "spread" {
    directors = ["lb1"]
    hold      = "-1s"
  }
}

router "e" {
  vrid      = 5
  interface = "wan"
  addresses = ["192.0.2.5/24"]
  placement "pinned" { directors = ["lb1", "l b", "lb1"] }
}

router "f" {
  vrid      = 6
  interface = "wan"
  addresses = ["192.0.2.6/24"]
  placement "sticky" { hold = "1s" }
  placement = "sticky"
  on_quorum_loss = "die"
}
