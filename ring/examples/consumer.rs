//! Receives until the producer closes the stream. See `producer.rs`.

use podring::Error;

fn main() -> podring::Result<()> {
    let name = std::env::args().nth(1).unwrap_or_else(|| "orders".to_owned());
    let mut rx = podring::spsc(name).consumer()?;
    loop {
        match rx.recv() {
            Ok(message) => match <[u8; 8]>::try_from(&*message) {
                Ok(number) => println!("number {}", u64::from_le_bytes(number)),
                Err(_) => println!("{}", String::from_utf8_lossy(&message)),
            }, // here the message is released: the producer may use its place again
            Err(Error::Closed { .. }) => break,
            Err(error) => return Err(error),
        }
    }
    println!("messages received through this ring so far: {}", rx.stats().messages);
    Ok(())
}
