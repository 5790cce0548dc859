package vrrp

// Drop names why a datagram was not believed. The empty Drop means that it was.
type Drop string

// The reasons to drop a datagram, in the order in which they are looked for. Up to DropNoAddress the
// datagram and the router's [Profile] decide, then what the [Judge] knows.
const (
	DropFragment    Drop = "fragment"
	DropLength      Drop = "length"
	DropTrailing    Drop = "trailing bytes"
	DropTTL         Drop = "ttl"
	DropVersion     Drop = "version"
	DropType        Drop = "type"
	DropVRID        Drop = "vrid"
	DropChecksum    Drop = "checksum"
	DropAuthType    Drop = "authentication type"
	DropAuthData    Drop = "authentication data"
	DropUnsigned    Drop = "not signed"
	DropSignature   Drop = "signature"
	DropInterval    Drop = "interval zero"
	DropDestination Drop = "destination"
	DropNoAddress   Drop = "no address"
	// DropMismatch is version 2 alone, and means two Active routers for as long as it lasts.
	DropMismatch    Drop = "interval differs"
	DropOwnSource   Drop = "own source"
	DropBadSource   Drop = "bad source"
	DropNotNeighbor Drop = "source is no neighbor"
	DropOffSubnet   Drop = "source off subnet"
	DropStranger    Drop = "stranger"
	DropAddresses   Drop = "address list"
	DropClock       Drop = "signed at another time"
	DropReplay      Drop = "replay"
	DropResignation Drop = "resignation of a stranger"
	// DropIdle and DropQueue are counted by the driver.
	DropIdle  Drop = "router not running"
	DropQueue Drop = "queue of the socket full"
)

// Notice names something odd about a datagram that was believed all the same.
type Notice string

// The oddities that a believed advert may have.
const (
	NoticeAddresses Notice = "address list differs"
	// NoticeOrder is an IPv6 list whose first address is not link-local.
	NoticeOrder    Notice = "link-local address not first"
	NoticeInterval Notice = "interval differs"
	NoticeClamped  Notice = "interval clamped"
	NoticeChecksum Notice = "checksum without pseudo-header"
	// NoticePseudo is noticed where our own adverts are without.
	NoticePseudo   Notice = "checksum with pseudo-header"
	NoticeUnsigned Notice = "not signed"
	// NoticeStranger is a source that is no member and no neighbor.
	NoticeStranger Notice = "stranger"
	NoticeOwner    Notice = "priority 255"
	// NoticeStrangeOwner is both: it takes the addresses from anybody.
	NoticeStrangeOwner Notice = "priority 255 of a stranger"
)
