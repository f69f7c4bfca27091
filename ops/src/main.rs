//! The program `ledger`.
fn main() {}
