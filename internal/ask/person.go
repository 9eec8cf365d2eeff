package ask

import "net/http"

// As is the same prototype asked by somebody else: with connections of their own, and with headers such as the one in
// which the organisation's sign-in says who asks.
func (c *Client) As(headers http.Header) *Client {
	other := *c
	other.transport, other.headers = newTransport(c.dial, c.timeout), headers.Clone()
	return &other
}

// Request is what Ask would send, for those who send something close to it.
func (c *Client) Request(input string) (body, contentType string) { return c.form.request(input) }
