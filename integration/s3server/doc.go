// Package s3server starts a private S3 server (versitygw, over a temporary folder) for a test. It
// can be killed and started again on the same port with the same data.
package s3server
