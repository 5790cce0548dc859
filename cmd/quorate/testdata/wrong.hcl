router "web" {
  vrid      = 300
  interface = "wan"
  addresses = ["nonsense"]
}
router "web" {}
