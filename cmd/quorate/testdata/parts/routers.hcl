router "web" {
  vrid      = 51
  interface = "wan"
  addresses = ["192.0.2.1/24"]
}
