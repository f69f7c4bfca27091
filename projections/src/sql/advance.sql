-- advance: moves the checkpoint, if it is still where this batch began and still ours.
UPDATE views.projection SET next_seq = $4, recorded_us = $5, chain = $6
 WHERE projection = $1 AND epoch = $2 AND next_seq = $3
