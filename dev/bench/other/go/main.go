// Consumes a queue with RabbitMQ's client for Go, and prints what it measured as a line of JSON, like contestant.mjs.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

type order struct {
	OrderID *float64  `json:"order_id"`
	City    *string   `json:"city"`
	Items   *[]string `json:"items"`
	At      *string   `json:"at"`
}

// decode checks what the schema of the other contestants checks.
func decode(body []byte) error {
	var read order
	if err := json.Unmarshal(body, &read); err != nil {
		return err
	}
	if read.OrderID == nil || read.City == nil || read.Items == nil || read.At == nil {
		return errors.New("expected order_id, city, items and at")
	}
	return nil
}

func cpuMicroseconds() float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1000
}

func consume(url, queue string, count, warmUp int) error {
	connection, err := amqp.Dial(url)
	if err != nil {
		return err
	}
	defer connection.Close()
	channel, err := connection.Channel()
	if err != nil {
		return err
	}
	if err := channel.Qos(300, 0, false); err != nil {
		return err
	}
	deliveries, err := channel.Consume(queue, "", false, false, false, false, nil)
	if err != nil {
		return err
	}
	var startedAt time.Time
	var cpu float64
	seen := 0
	for delivery := range deliveries {
		if err := decode(delivery.Body); err != nil {
			return err
		}
		seen++
		if seen%100 == 0 {
			if err := delivery.Ack(true); err != nil {
				return err
			}
		}
		if seen == warmUp {
			startedAt, cpu = time.Now(), cpuMicroseconds()
		}
		if seen == count {
			measured := float64(count - warmUp)
			fmt.Printf("{\"perSecond\":%f,\"cpuMicroseconds\":%f}\n",
				measured/time.Since(startedAt).Seconds(), (cpuMicroseconds()-cpu)/measured)
			return nil
		}
	}
	return errors.New("the channel was closed before all messages had arrived")
}

func main() {
	count, err := strconv.Atoi(os.Args[3])
	if err != nil {
		panic(err)
	}
	warmUp, err := strconv.Atoi(os.Args[4])
	if err != nil {
		panic(err)
	}
	if err := consume(os.Args[1], os.Args[2], count, warmUp); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
