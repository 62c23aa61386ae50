module modelunits/backend

go 1.21
