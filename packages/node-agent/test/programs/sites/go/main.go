package main

import (
	"fmt"
	"hash/crc32"
	"math/rand"
	"net/http"
	"runtime"
	"sync/atomic"
	"time"
)

// Counts visits; each collects garbage, and looks whether 16 MB that it has had from the beginning are what they were.
func main() {
	var visits, ticks int64
	kept := make([]byte, 16<<20)
	rand.Read(kept)
	sum := crc32.ChecksumIEEE(kept)
	go func() {
		for range time.Tick(50 * time.Millisecond) {
			atomic.AddInt64(&ticks, 1)
		}
	}()
	http.HandleFunc("/", func(response http.ResponseWriter, request *http.Request) {
		if request.URL.Path == "/" {
			atomic.AddInt64(&visits, 1)
			runtime.GC()
			if crc32.ChecksumIEEE(append([]byte(nil), kept...)) != sum {
				response.WriteHeader(500)
			}
		}
		fmt.Fprintf(response, "visits %d ticks %d\n", atomic.LoadInt64(&visits), atomic.LoadInt64(&ticks))
	})
	panic(http.ListenAndServe(":3000", nil))
}
