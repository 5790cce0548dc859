# A hundred services of fifty servers, in as many words as one needs.
locals {
  inside  = "10.1.0.0/16"
  vips    = "192.0.2.0/24"
  servers = [for n in range(1, 51) : cidrhost(local.inside, n)]
}

router "outside" {
  vrid      = 51
  interface = "wan"
  addresses = ["${cidrhost(local.vips, 1)}/${cidrlength(local.vips)}"]
}

router "inside" {
  vrid      = 52
  interface = "lan"
  addresses = ["10.1.255.1/16"]
}

sync_group "gateway" { routers = ["outside", "inside"] }

service "app" {
  for_each = range(8001, 8101)
  address  = endpoint(cidrhost(local.vips, 1), each.value)

  check "tcp" { interval = "5s" }

  server "pool" {
    for_each = local.servers
    weight   = service.value == 8001 ? 2 : 1
  }
}
