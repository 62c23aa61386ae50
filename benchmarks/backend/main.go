// Command backend answers every POST with one chat completion after a fixed time: what
// benchmarks/gateway.py puts behind gateways. It reads the whole body first, as an engine does.
package main

import (
	"flag"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"time"
)

const answer = `{"id":"chatcmpl-1","object":"chat.completion","created":1795000000,"model":"bench",` +
	`"choices":[{"index":0,"message":{"role":"assistant","content":"Twelve tokens that answer what was ` +
	`asked, neither more nor less."},"finish_reason":"stop"}],` +
	`"usage":{"prompt_tokens":200,"completion_tokens":12,"total_tokens":212}}`

func main() {
	address := flag.String("listen", "127.0.0.1:0", "where to listen")
	latency := flag.Duration("latency", 0, "time from the last byte of a request to the answer")
	flag.Parse()
	listener, err := net.Listen("tcp", *address)
	if err != nil {
		log.Fatal(err)
	}
	length := strconv.Itoa(len(answer))
	log.Fatal(http.Serve(listener, http.HandlerFunc(func(out http.ResponseWriter, in *http.Request) {
		io.Copy(io.Discard, in.Body)
		if *latency > 0 && in.Method == http.MethodPost {
			time.Sleep(*latency)
		}
		out.Header().Set("Content-Type", "application/json")
		out.Header().Set("Content-Length", length)
		io.WriteString(out, answer)
	})))
}
