// refused: E0382
// about: borrow of moved value: `places`

fn main() -> podring::Result<()> {
    let mut tx = podring::spsc("mistake").typed::<u64>().producer()?;
    let mut places = tx.claim(10)?;
    places.commit();
    places[0] = 1;
    Ok(())
}
