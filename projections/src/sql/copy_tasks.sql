-- copy_tasks: tasks that are open from here on.
COPY views.task (cause_seq, projection, class, kind, id, task) FROM STDIN (FORMAT binary)
