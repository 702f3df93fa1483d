/// libFuzzer's entry; cluster/fuzz.sh compiles it together with what it calls.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    HostileImages.takeMetaImage(Array(UnsafeBufferPointer(start: data, count: count)))
    return 0
}
