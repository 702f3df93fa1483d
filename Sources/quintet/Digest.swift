import Platform

extension SHA256 {
    /// As 64 digits.
    static func hexadecimal(of bytes: [UInt8]) -> String { Hexadecimal.text(digest(of: bytes)) }
}
