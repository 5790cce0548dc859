locals {
  vip     = "192.0.2.1"
  servers = ["10.1.0.11", "10.1.0.12", "10.1.0.300"]
  a       = local.b
  b       = local.c + 1
  c       = local.a
  vip2    = local.vipp
  wrong   = cidrhost("10.0.0.0/30", 4)
}

locals {
  vip = "192.0.2.2"
}

router "edge" {
  for_each  = { one = 1, two = 256, three = 257 }
  vrid      = each.value
  interface = wan
  addresses = ["${cidrhost("192.0.2.0/24", each.value)}/24"]
  vird      = 3
}

router "left" {
  for_each  = [10, 20]
  vrid      = 7
  interface = "lan"
  addresses = ["10.9.0.${each.value}/24"]
}

service "web" {
  address = "${local.vip}:${each.value}"
  server "pool" {
    for_each = local.servers
    weight   = "${each.vale}"
  }
  server "more" {
    for_each = "10.1.0.13"
  }
  server "other" {
    for_each = local.servers
    address  = "${each.value}:80"
  }
}

service "app" {
  for_each  = ["a b", "c"]
  address   = joyn(":", [local.vip, 8000])
  scheduler = vip
  name      = length(each.value)
}

service "late" {
  address = "192.0.2.3:${1 + max("x", 2)}"
  forward = local.wrong
  mark    = local.a
}

service "twice" {
  for_each = { a = 81, "a" = 82, b = { c = 1, d = 2 } }
  address  = "192.0.2.4:${each.value}"
}

locals {
  ports = { 80 = "web", 81 = "other", 80 = "lost" }
}
