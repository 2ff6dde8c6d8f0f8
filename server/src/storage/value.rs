//! Plain values that go into statements and come out of rows. Three kinds are enough for every engine: 64-bit
//! integers, text, bytes. What they mean is the business of `sql`.

use super::StoreError;

/// One bound argument or one column. The kind of a NULL is kept, because some engines ask for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A number, an instant in milliseconds, an index.
    Int(Option<i64>),
    /// Text.
    Text(Option<String>),
    /// Bytes.
    Blob(Option<Vec<u8>>),
}

impl Value {
    /// True for NULL of any kind.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Int(None) | Self::Text(None) | Self::Blob(None))
    }

    /// NULL of the same kind.
    pub(crate) fn to_null(&self) -> Self {
        match self {
            Self::Int(_) => Self::Int(None),
            Self::Text(_) => Self::Text(None),
            Self::Blob(_) => Self::Blob(None),
        }
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(Some(value))
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Self::Int(Some(i64::from(value)))
    }
}

impl From<u64> for Value {
    /// Saturates at the largest signed number; indexes, sizes and instants stay far below.
    fn from(value: u64) -> Self {
        Self::Int(Some(i64::try_from(value).unwrap_or(i64::MAX)))
    }
}

impl From<Option<u64>> for Value {
    fn from(value: Option<u64>) -> Self {
        value.map_or(Self::Int(None), Self::from)
    }
}

impl From<postfach_domain::time::Timestamp> for Value {
    fn from(value: postfach_domain::time::Timestamp) -> Self {
        Self::Int(Some(value.as_i64()))
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(Some(value.to_owned()))
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(Some(value))
    }
}

impl From<&[u8]> for Value {
    fn from(value: &[u8]) -> Self {
        Self::Blob(Some(value.to_vec()))
    }
}

impl<const N: usize> From<&[u8; N]> for Value {
    fn from(value: &[u8; N]) -> Self {
        Self::Blob(Some(value.to_vec()))
    }
}

impl From<Vec<u8>> for Value {
    fn from(value: Vec<u8>) -> Self {
        Self::Blob(Some(value))
    }
}

impl From<Option<Vec<u8>>> for Value {
    fn from(value: Option<Vec<u8>>) -> Self {
        Self::Blob(value)
    }
}

/// One row of an answer, columns in the order of the statement. Each column is taken once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row(pub Vec<Value>);

impl Row {
    fn column(&mut self, at: usize) -> Result<&mut Value, StoreError> {
        self.0.get_mut(at).ok_or_else(|| StoreError::Corrupt(format!("no column {at}")))
    }

    /// A number, or `None` for NULL.
    pub fn opt_int(&mut self, at: usize) -> Result<Option<i64>, StoreError> {
        match self.column(at)? {
            Value::Int(value) => Ok(*value),
            value if value.is_null() => Ok(None),
            _ => Err(StoreError::Corrupt(format!("column {at} is not a number"))),
        }
    }

    /// A number.
    pub fn int(&mut self, at: usize) -> Result<i64, StoreError> {
        self.opt_int(at)?.ok_or_else(|| null(at))
    }

    /// A number that cannot be negative: an index, a size, an instant.
    pub fn unsigned(&mut self, at: usize) -> Result<u64, StoreError> {
        u64::try_from(self.int(at)?).map_err(|_| StoreError::Corrupt(format!("column {at} is negative")))
    }

    /// Such a number, or `None` for NULL.
    pub fn opt_unsigned(&mut self, at: usize) -> Result<Option<u64>, StoreError> {
        let negative = |_| StoreError::Corrupt(format!("column {at} is negative"));
        self.opt_int(at)?.map(|value| u64::try_from(value).map_err(negative)).transpose()
    }

    /// A number of 32 bits.
    pub fn small(&mut self, at: usize) -> Result<u32, StoreError> {
        u32::try_from(self.int(at)?).map_err(|_| StoreError::Corrupt(format!("column {at} is too large")))
    }

    /// Text, taken out of the row; `None` for NULL.
    pub fn opt_text(&mut self, at: usize) -> Result<Option<String>, StoreError> {
        match self.column(at)? {
            Value::Text(value) => Ok(value.take()),
            value if value.is_null() => Ok(None),
            _ => Err(StoreError::Corrupt(format!("column {at} is not text"))),
        }
    }

    /// Text, taken out of the row.
    pub fn text(&mut self, at: usize) -> Result<String, StoreError> {
        self.opt_text(at)?.ok_or_else(|| null(at))
    }

    /// Bytes, taken out of the row; `None` for NULL.
    pub fn opt_blob(&mut self, at: usize) -> Result<Option<Vec<u8>>, StoreError> {
        match self.column(at)? {
            Value::Blob(value) => Ok(value.take()),
            value if value.is_null() => Ok(None),
            _ => Err(StoreError::Corrupt(format!("column {at} is not bytes"))),
        }
    }

    /// Bytes, taken out of the row.
    pub fn blob(&mut self, at: usize) -> Result<Vec<u8>, StoreError> {
        self.opt_blob(at)?.ok_or_else(|| null(at))
    }

    /// Bytes of one fixed length.
    pub fn array<const N: usize>(&mut self, at: usize) -> Result<[u8; N], StoreError> {
        let bytes = self.blob(at)?;
        bytes.try_into().map_err(|_| StoreError::Corrupt(format!("column {at} has not {N} bytes")))
    }

    /// Bytes of one fixed length, or `None` for NULL.
    pub fn opt_array<const N: usize>(&mut self, at: usize) -> Result<Option<[u8; N]>, StoreError> {
        let wrong = |_| StoreError::Corrupt(format!("column {at} has not {N} bytes"));
        self.opt_blob(at)?.map(|bytes| bytes.try_into().map_err(wrong)).transpose()
    }
}

fn null(at: usize) -> StoreError {
    StoreError::Corrupt(format!("column {at} is NULL"))
}
