package ask

import "net/http"

// As is the same prototype asked by somebody else: with connections of their own, and with headers such as the one in
// which the organisation's sign-in says who asks.
func (c *Client) As(headers http.Header) *Client {
	other := *c
	other.transport, other.headers = newTransport(c.dial, c.timeout), headers.Clone()
	return &other
}

// Texts is how many places a request has that a question can be put into: one where the prototype declares it, and of a
// request that it shows, every text.
func (c *Client) Texts() int { return c.form.texts() }

// Request is what Ask would send with the question in one of the places, for those who send something close to it.
func (c *Client) Request(at int, input string) (body, contentType string) {
	return c.form.request(at, input)
}

// Shown is the request that the prototype shows, as it stands; "" where it declares how it is asked.
func (c *Client) Shown() (body, contentType string) {
	shown, is := c.form.(sampleForm)
	if !is {
		return "", ""
	}
	return shown.body, shown.contentType()
}
