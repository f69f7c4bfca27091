-- copy_deadlines: deadlines that are new, or otherwise than before.
COPY views.deadline (due_us, armed_seq, projection, fired, kind, id, owner, rule, part, key) FROM STDIN (FORMAT binary)
