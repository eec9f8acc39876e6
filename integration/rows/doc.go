// Package rows puts a tenant's database under load and proves afterwards what has become of the
// rows: after a restore, a clone or a move every row is there that was committed before the
// moment of its snapshot, none is torn, and none is there from after.
//
// Writers commit transactions by a page of the tenant's own web server (rows.php), so that what
// is proven holds of requests as well as of rows. A clock of whole numbers orders what happens:
// each send and each answer is a tick. A row carries the tick it was sent at; once it is found,
// whatever was answered before that tick must be found too.
package rows
