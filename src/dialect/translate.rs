//! stub
use crate::base::failure::Failure;
use crate::base::rejection::{Refusal, Rejection};
use crate::call::Call;
use crate::dialect::Dialect;
use crate::dialect::profile::Profile;
use crate::dialect::sse::Event;
use bytes::{Bytes, BytesMut};
pub fn read_call(_: Dialect, _: &[u8]) -> Result<Call, Rejection> { unimplemented!() }
pub fn write_call(_: &Profile, _: &Call, _: &str, _: u64, _: bool) -> Result<Bytes, Refusal> { unimplemented!() }
pub struct Reply;
pub fn read_reply(_: &Profile, _: &[u8]) -> Result<Reply, Failure> { unimplemented!() }
pub fn write_reply(_: Dialect, _: &Reply) -> Bytes { unimplemented!() }
pub struct StreamTranslator;
impl StreamTranslator {
    pub fn new(_: &'static Profile, _: Dialect, _: bool) -> Self { Self }
    pub fn event(&mut self, _: &Event<'_>, _: &mut BytesMut) -> Result<(), Failure> { unimplemented!() }
    pub fn end(&mut self, _: &mut BytesMut) {}
}
