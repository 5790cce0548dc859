# From keepalived's configuration of lb7, by `quorate import keepalived`.

# Priority 110 on lb7. Once those of the others are known: director "lb7" { score = 110 }
sync_group "both" {
  routers = ["a", "b"]

  placement "score" { hold = "3s" }
  prefer "exact" { score = 20 }
}

router "a" {
  vrid      = 10
  interface = "eth7"
  addresses = ["10.10.0.1/24"]
  version   = 2
  accept    = false
  refresh   = "1m"

  require "eth6" {}
}

router "b" {
  vrid      = 10
  interface = "eth8"
  addresses = ["10.11.0.1/24"]
  version   = 2
  accept    = false
  refresh   = "1m"
}

# Priority 100 on lb7. Once those of the others are known: director "lb7" { score = 100 }
sync_group "routed-group" {
  routers = ["routed", "routed-eth2"]
}

router "routed" {
  vrid          = 3
  interface     = "eth1"
  addresses     = ["198.51.100.1/24"]
  checksum      = "plain"
  accept        = false
  preempt_delay = "30s"
  refresh       = "1m"

  route "0.0.0.0/0" {
    via    = "198.51.100.254"
    metric = 5
  }

  route "10.0.0.0/8" {
    via       = "198.51.100.254"
    interface = "eth1"
    table     = 100
  }

  route "10.66.0.0/16" { type = "blackhole" }

  route "10.7.0.0/16" {
    via    = "198.51.100.253"
    source = "198.51.100.1"
    mtu    = 1400
  }

  route "192.0.2.128/25" { interface = "eth2" }

  rule {
    priority = 500
    from     = "10.0.0.0/8"
    table    = 100
  }

  rule {
    priority = 16384
    to       = "10.2.0.0/16"
    in       = "eth1"
    table    = 100
  }

  rule {
    priority = 16383
    mark     = 3
    mask     = 255
    table    = 254
  }
}

router "routed-eth2" {
  vrid          = 3
  interface     = "eth2"
  addresses     = ["203.0.113.1/24", "203.0.113.7/24"]
  checksum      = "plain"
  accept        = false
  preempt_delay = "30s"
  refresh       = "1m"
}

router "owner" {
  vrid          = 1
  interface     = "eth0"
  addresses     = ["192.0.2.1/24", "192.0.2.2/32"]
  excluded      = ["2001:db8::1/64"]
  version       = 2
  address_owner = "lb7"
  refresh       = "1m"
}

# Priority 120 on lb7. Once those of the others are known: director "lb7" { score = 120 }
router "six" {
  vrid        = 2
  interface   = "eth0"
  addresses   = ["fe80::2/64", "2001:db8::2/64"]
  interval    = "250ms"
  virtual_mac = true
  accept      = false
  preempt     = false
  refresh     = "1m"

  auth "hmac" {
    key_id       = 2
    key          = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
    other_key_id = 1
    other_key    = "3031323334353637383961626364656630313233343536373839616263646566"
  }

  prefer "eth5" { score = -20 }
  require "eth6" {}
  require "shell" {}

  prefer "search" {
    score   = 10
    reverse = true
  }

  prefer "load" {
    score   = -1
    reverse = true
  }

  prefer "nginx" { score = 253 }
  require "exact" {}

  hook "on-fault" {
    on      = ["fault"]
    command = ["/usr/local/bin/tell", "fault"]
    user    = "root"
  }

  hook "notify-owner" {
    on      = ["owner"]
    command = ["/usr/local/bin/tell", "all", "INSTANCE", "six", "MASTER", "120"]
    user    = "root"
  }

  hook "notify-standby" {
    on      = ["standby"]
    command = ["/usr/local/bin/tell", "all", "INSTANCE", "six", "BACKUP", "120"]
    user    = "root"
  }

  hook "notify-fault" {
    on      = ["fault"]
    command = ["/usr/local/bin/tell", "all", "INSTANCE", "six", "FAULT", "120"]
    user    = "root"
  }

  hook "notify-stop" {
    on      = ["stop"]
    command = ["/usr/local/bin/tell", "all", "INSTANCE", "six", "STOP", "120"]
    user    = "root"
  }
}

# Priority 90 on lb7. Once those of the others are known: director "lb7" { score = 90 }
router "lone" {
  vrid      = 4
  interface = "eth4"
  addresses = ["192.0.2.130/25"]
  version   = 2
  accept    = false
  refresh   = "1m"
  unicast   = true
}

track "interface" "eth5" {
  interface  = "eth5"
  up_delay   = "4s"
  down_delay = "2s"
}

track "interface" "eth6" {
  interface = "eth6"
}

track "script" "shell" {
  command = ["/bin/bash", "-c", "</dev/tcp/127.0.0.1/80"]
  user    = "root"
  timeout = "2s"
}

track "script" "search" {
  command = ["/bin/sh", "-c", "pgrep -x nginx"]
  user    = "root"
}

track "file" "load" {
  path    = "/run/load"
  missing = 5
}

track "process" "nginx" {
  process    = "nginx"
  at_least   = 2
  at_most    = 8
  up_delay   = "3s"
  down_delay = "3s"
}

track "process" "exact" {
  command_line = ["/usr/bin/app", "--serve", "a b"]
  down_delay   = "500ms"
}
