# A keepalived at 192.168.1.9 with priority 110, `version 3`, the same virtual_router_id, the same
# addresses in the same order, and `auth_hmac` with the same key. It takes over when no director is well.

router "outside" {
  vrid          = 51
  interface     = "wan"
  addresses     = ["192.168.1.1/24", "192.168.1.2/24"]
  preempt_delay = "30s"
  known_only    = true

  peer "192.168.1.9" {}

  auth "hmac" {
    key_id = 1
    key    = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f" # make your own: openssl rand -hex 32
  }
}
