-- correct_message_time: when the head's message was stored, where that was not known; nothing else may have moved the head.
UPDATE ledger.head SET message_us = $4
 WHERE ledger = $1 AND epoch = $2 AND size = $3 AND message_us <> $4 AND $4 <= recorded_us
