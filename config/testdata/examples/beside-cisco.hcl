# A hardware router that computes checksums as RFC 9568 has it, and that stays the owner as long as
# it lives, since its priority is 210. The addresses have a MAC address of their own, as it has them.

router "outside" {
  vrid        = 51
  interface   = "wan"
  addresses   = ["192.168.1.1/24"]
  checksum    = "plain"
  virtual_mac = true
  peer "192.168.1.9" {}
}
