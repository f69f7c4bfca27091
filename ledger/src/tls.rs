//! What TLS itself says beneath the errors of the drivers.

use std::error::Error;
use std::io;

/// The TLS error beneath another one: a side that does not trust the other, or does not speak TLS. It is no
/// server that is away, and waiting does not mend it.
pub fn refusal<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        // An I/O error does not give what it wraps as its source, but that one's source.
        next = match error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
        {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}
