locals {
  racks = {
    a = { net = "10.1.0.0/24", vrid = 61 }
    b = { net = "10.2.0.0/24", vrid = 62 }
  }
  sites    = ["www.example.com", "shop.example.com"]
  statuses = concat([200], [301, 302])
  timing   = { interval = "4s", timeout = "2s" }
  sorry    = "10.1.0.250"
}

locals {
  first = lookup(local.racks, "a", {}).net
}

router "rack" {
  for_each  = local.racks
  vrid      = each.value.vrid
  interface = "rack-${each.key}"
  addresses = ["${cidrhost(each.value.net, -2)}/24"]

  peer "foreign" {
    for_each = ["10.${router.key == "a" ? 1 : 2}.0.8"]
  }
  route "default" {
    destination = "0.0.0.0/0"
    via         = cidrhost(each.value.net, 1)
    table       = each.value.vrid
  }
}

track "interface" "link" {
  for_each  = local.racks
  name      = "link.${each.key}"
  interface = "rack-${each.key}"
}

sync_group "racks" {
  routers = [for name, rack in local.racks : "rack-${name}"]

  placement "score" { hold = local.timing.interval }
  director "each" {
    for_each = { lb1 = 150, lb2 = 100 }
    score    = each.value
  }
  require "link" {
    for_each = keys(local.racks)
    track    = "link.${each.value}"
  }
}

service "web" {
  for_each = { plain = 80, tls = 443 }
  name     = upper(each.key)
  address  = "192.0.2.1:${each.value}"
  forward  = each.key == "tls" ? "nat" : "direct"

  check "http" {
    for_each = service.key == "plain" ? local.sites : []
    host     = each.value
    status   = local.statuses
    interval = local.timing.interval
    timeout  = local.timing.timeout
  }

  server "rack" {
    for_each = flatten([for name, rack in local.racks : [for n in [11, 12] : { rack = name, address = cidrhost(rack.net, n) }]])
    address  = each.value.address
    weight   = each.value.rack == "a" ? 3 : 1
  }
  server "extra" { address = cidrhost(local.first, 99) }
  fallback "sorry" { address = local.sorry }
}
