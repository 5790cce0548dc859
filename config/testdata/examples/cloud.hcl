# A network that carries neither multicast nor ARP of others: unicast, and a program that tells the
# cloud who has the address. Guests may stand still for a while, hence the profile.

router "service" {
  vrid      = 51
  interface = "eth0"
  addresses = ["10.0.0.100/24"]
  profile   = "vm"
  unicast   = true

  hook "cloud" {
    command = ["/usr/local/bin/move-address", "10.0.0.100"]
    on      = ["owner"]
    timeout = "20s"
  }
}
