name           = "lb 1"
datadir        = "/srv"
data_dir       = "srv"
bind           = "0.0.0.0"
gossip         = "lb1.example.com"
socket         = "/run/quorate/a-directory-with-a-name-that-is-far-too-long-for-the-address-of-a-unix-socket/and-then-some-more.sock"
socket_group   = "no group"
role           = "master"
prepare_host   = "yes"
sync_interface = "a b"
log_level      = "verbose"
raise_level_after = "10ms"
interfaces {
  wan = "much-too-long-for-linux"
  lan = 7
  dmz = ""
}
interfaces {}
join {
  token      = ""
  token_file = "token"
}
