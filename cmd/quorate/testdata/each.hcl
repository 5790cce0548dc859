locals { ports = { web = 80, api = 80000 } }

service "app" {
  for_each = local.ports
  address  = "192.0.2.1:${each.value}"
  forward  = "direct"
  server "192.0.2.11" {}
}
