//! Sends a greeting and nine numbered messages, then closes the stream.
//!
//! ```text
//! cargo run -p podring --example producer -- orders      # in one terminal or container
//! cargo run -p podring --example consumer -- orders      # in another; either may start first
//! ```

use std::time::Duration;

fn main() -> podring::Result<()> {
    let name = std::env::args().nth(1).unwrap_or_else(|| "orders".to_owned());
    let mut tx = podring::spsc(name).producer()?;
    println!("ring '{}' of {} bytes; waiting for a consumer", tx.name(), tx.capacity());
    println!("there is a {}", tx.wait_for_peer(Duration::from_secs(60))?);

    tx.send(b"hello")?;
    for number in 1..10_u64 {
        let mut place = tx.claim(8)?; // write in place: nothing is copied
        place.copy_from_slice(&number.to_le_bytes());
        place.commit();
    }
    tx.close()?;
    println!("messages sent through this ring so far: {}", tx.stats().messages);
    Ok(())
}
