-- delete_data: deletes the data of these positions, as far as the event covers them and no hold keeps them.
SELECT deleted, was FROM ledger.delete_data($1, $2, $3, $4)
