package main

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"time"
)

func main() {
	var visits, ticks int64
	go func() {
		for range time.Tick(50 * time.Millisecond) {
			atomic.AddInt64(&ticks, 1)
		}
	}()
	http.HandleFunc("/", func(response http.ResponseWriter, request *http.Request) {
		if request.URL.Path == "/" {
			atomic.AddInt64(&visits, 1)
		}
		fmt.Fprintf(response, "visits %d ticks %d\n", atomic.LoadInt64(&visits), atomic.LoadInt64(&ticks))
	})
	panic(http.ListenAndServe(":3000", nil))
}
