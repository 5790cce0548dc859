package main

// keepalivedBlocks are keepalived's names of the blocks.
var keepalivedBlocks = map[string]string{
	"router":     "vrrp_instance",
	"peer":       "unicast_peer",
	"auth":       "authentication, auth_hmac",
	"route":      "virtual_routes",
	"rule":       "virtual_rules",
	"sync_group": "vrrp_sync_group",
	"director":   "priority, where it decides who is master",
	"require":    "track_interface, track_script and the like, without weight",
	"prefer":     "the same with weight",
	"hook":       "notify",
	"track":      "vrrp_script, vrrp_track_file, vrrp_track_process, track_interface",
	"service":    "virtual_server",
	"server":     "real_server",
	"fallback":   "sorry_server",
	"check":      "TCP_CHECK, HTTP_GET, SSL_GET, SMTP_CHECK, MISC_CHECK",
}
