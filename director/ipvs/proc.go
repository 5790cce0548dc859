package ipvs

// procNet is where the network namespace of the calling thread shows its tables: /proc/net is that
// of the process, which a thread in another namespace must not read.
const procNet = "/proc/thread-self/net/"
