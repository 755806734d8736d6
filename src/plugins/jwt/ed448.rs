//! Ed448 keys of `EdDSA` credentials: not yet, they count as unusable.
pub struct PublicKey;
impl PublicKey {
    pub fn from_spki(_: &[u8]) -> Option<Self> {
        None
    }
    pub fn accepts(&self, _: &[u8], _: &[u8]) -> bool {
        false
    }
}
