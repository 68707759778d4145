//! iceoryx2: publish and subscribe with one of each, loaned in place, no message dropped, polled.

use std::fmt::Write;

use iceoryx2::port::publisher::Publisher;
use iceoryx2::port::subscriber::Subscriber;
use iceoryx2::prelude::{
    BackpressureStrategy, Config, LogLevel, NodeBuilder, ServiceName, ipc, set_log_level,
};
use iceoryx2::service::port_factory::publish_subscribe::PortFactory;

use crate::Result;
use crate::board::Poll;
use crate::subjects::peers::failed;
use crate::transport::{Rx, Spec, Transport, Tx};

const NAME: &str = "iceoryx2";

/// A service.
#[derive(Debug)]
pub struct Iceoryx2(Spec);

/// The writing end.
#[derive(Debug)]
pub struct Iceoryx2Tx {
    publisher: Publisher<ipc::Service, [u8], ()>,
}

/// The reading end.
#[derive(Debug)]
pub struct Iceoryx2Rx<'a> {
    subscriber: Subscriber<ipc::Service, [u8], ()>,
    poll: Poll<'a>,
}

impl Iceoryx2 {
    fn service(&self) -> Result<PortFactory<ipc::Service, [u8], ()>> {
        set_log_level(LogLevel::Error);
        let mut name = format!("podring-bench/{}", self.0.name);
        // Several programs may measure at once.
        let run = self.0.dir.file_name().unwrap_or_default().to_string_lossy();
        let _ = write!(name, "/{run}");
        let name: ServiceName = name.as_str().try_into().map_err(|e| failed(NAME, "name", e))?;
        let node = NodeBuilder::new()
            .config(&Config::default())
            .create::<ipc::Service>()
            .map_err(|e| failed(NAME, "node", e))?;
        node.service_builder(&name)
            .publish_subscribe::<[u8]>()
            .enable_safe_overflow(false)
            .subscriber_max_buffer_size(self.0.slots().min(1024))
            .max_publishers(1)
            .open_or_create()
            .map_err(|e| failed(NAME, "service", e))
    }
}

impl Transport for Iceoryx2 {
    type Tx<'a> = Iceoryx2Tx;
    type Rx<'a> = Iceoryx2Rx<'a>;

    fn create(spec: &Spec) -> Result<Self> {
        Ok(Self(spec.clone()))
    }

    fn tx<'a>(&'a self, _: Poll<'a>) -> Result<Iceoryx2Tx> {
        let publisher = self
            .service()?
            .publisher_builder()
            .initial_max_slice_len(self.0.size)
            .backpressure_strategy(BackpressureStrategy::RetryUntilDelivered)
            .create()
            .map_err(|e| failed(NAME, "publisher", e))?;
        Ok(Iceoryx2Tx { publisher })
    }

    fn rx<'a>(&'a self, poll: Poll<'a>) -> Result<Iceoryx2Rx<'a>> {
        let subscriber =
            self.service()?.subscriber_builder().create().map_err(|e| failed(NAME, "subscriber", e))?;
        Ok(Iceoryx2Rx { subscriber, poll })
    }
}

impl Tx for Iceoryx2Tx {
    #[inline(always)]
    fn send(&mut self, size: usize, write: impl FnOnce(&mut [u8])) -> Result<()> {
        let mut sample = self.publisher.loan_slice_uninit(size).map_err(|e| failed(NAME, "loan", e))?;
        let place: *mut [u8] = std::ptr::from_mut(sample.payload_mut()) as *mut [u8];
        // SAFETY: a loan is ours alone; it lies in mapped memory, whose bytes always have values.
        write(unsafe { &mut *place });
        // SAFETY: all of it was written.
        let sample = unsafe { sample.assume_init() };
        sample.send().map_err(|e| failed(NAME, "send", e))?;
        Ok(())
    }
}

impl Rx for Iceoryx2Rx<'_> {
    #[inline(always)]
    fn recv<R>(&mut self, read: impl FnOnce(&[u8]) -> R) -> Result<R> {
        loop {
            match self.subscriber.receive().map_err(|e| failed(NAME, "receive", e))? {
                Some(sample) => return Ok(read(&sample)),
                None => self.poll.again()?,
            }
        }
    }
}
