// Package s3 reaches a bucket of an S3 server: AWS's own or any that speaks its protocol.
//
// Bucket is what others build on. CertStorage keeps the proxies' certificates in it; its locks
// rest on conditional writes (If-None-Match and If-Match), which the server has to know, and on no
// clock but that of who waits.
//
// Errors are fleet errors and hold no secret.
package s3
