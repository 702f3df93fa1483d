import Imaging
import Numerics
import Testing

/// Against OpenCV and numpy; goldens by Goldens/make_planes.py.
@Suite struct PlaneMorphologyTests {
    /// Would notice an ellipse rounded down, rounded half up, or a disc.
    @Test func ellipsesAreOpenCVsToThePixel() throws {
        var golden = try GoldenReader("planes.bin")
        for _ in 0..<golden.int() {
            let size = golden.int(), expected = golden.array(size * size, of: UInt8.self)
            // A single pixel, dilated, is the element.
            var dot = Mask(repeating: 0, shape: VolumeShape(depth: 1, height: size, width: size),
                           geometry: Geometry(spacing: Spacing(zMM: 1, yMM: 1, xMM: 1)))
            dot[0, size / 2, size / 2] = 1
            #expect(Morphology.dilated(dot, by: StructuringElement(planeEllipse: size)).voxels == expected, "\(size)")
        }
    }

    /// Would notice a border that counts as background (opening loses what touches it) or as mask (closing sticks to
    /// it), the order of the two, and bits behind a row's end.
    @Test func openingAndClosingAreOpenCVsAlsoAtTheBorder() throws {
        var golden = try GoldenReader("planes.bin")
        for _ in 0..<golden.int() { _ = golden.array(squared(golden.int()), of: UInt8.self) }
        for _ in 0..<golden.int() {
            let (height, width, size) = (golden.int(), golden.int(), golden.int())
            let bits = golden.array(height * width, of: UInt8.self)
            func plane(_ bit: UInt8) -> Mask {
                Mask(shape: VolumeShape(depth: 1, height: height, width: width),
                     geometry: Geometry(spacing: Spacing(zMM: 1, yMM: 1, xMM: 1)), voxels: bits.map { $0 >> bit & 1 })
            }
            let element = StructuringElement(planeEllipse: size), mask = plane(0)
            let opened = PlaneMorphology.opened(mask, by: element)
            #expect(opened.voxels == plane(1).voxels, "opened \(height)x\(width)")
            #expect(PlaneMorphology.closed(mask, by: element).voxels == plane(2).voxels, "closed \(height)x\(width)")
            #expect(PlaneMorphology.closed(opened, by: element).voxels == plane(3).voxels, "both \(height)x\(width)")
        }
    }

    private func squared(_ number: Int) -> Int { number * number }
}

/// Against numpy and OpenCV; goldens by Goldens/make_planes.py.
@Suite struct GreyValueTests {
    private func afterMasks() throws -> GoldenReader {
        var golden = try GoldenReader("planes.bin")
        for _ in 0..<golden.int() {
            let size = golden.int()
            _ = golden.array(size * size, of: UInt8.self)
        }
        for _ in 0..<golden.int() {
            let (height, width, _) = (golden.int(), golden.int(), golden.int())
            _ = golden.array(height * width, of: UInt8.self)
        }
        return golden
    }

    /// Would notice sums in another order (the last value is 254 where numpy's sum ends below 1), zeros that count, and
    /// a lift that is rounded otherwise.
    @Test func greyValuesBecomeWhatNumpyAndOpenCVMakeOfThem() throws {
        var golden = try afterMasks()
        for number in 0..<golden.int() {
            let count = golden.int(), before = golden.array(count, of: UInt8.self)
            for lifts in [false, true] {
                let expected = golden.array(count, of: UInt8.self)
                var pixels = before
                pixels.withUnsafeMutableBufferPointer {
                    HistogramEqualisation.apply(to: $0, liftsDarkValues: lifts)
                }
                #expect(pixels == expected, "picture \(number), lift \(lifts)")
            }
        }
        for _ in 0..<golden.int() { try checkBlur(&golden) }
        #expect(golden.isAtEnd)
    }

    /// Would notice taps that are rounded one by one, another reach, a mirror that doubles the outermost pixel, and
    /// results that are cut instead of rounded.
    private func checkBlur(_ golden: inout GoldenReader) throws {
        let (height, width) = (golden.int(), golden.int()), sigma = golden.array(1, of: Double.self)[0]
        var values = golden.array(height * width, of: UInt8.self).map { Float($0) }
        let expected = golden.array(height * width, of: UInt8.self)
        values.withUnsafeMutableBufferPointer {
            ByteGaussianFilter.apply($0, height: height, width: width, sigma: sigma)
        }
        #expect(values.map { UInt8($0) } == expected, "\(height)x\(width), sigma \(sigma)")
    }

    /// The lift's ends, worked out by hand: 1 / 150 * 120 + 30 = 30.8, 149 / 150 * 120 + 30 = 149.2.
    @Test func theLiftTakes1To30And149To149AndLeavesTheRest() {
        // One pixel of each value 1 ... 255: the value v becomes v, or v - 1 where the sum ended below.
        let counts = [9] + [Int](repeating: 1, count: 255)
        let plain = HistogramEqualisation.table(counts: counts, liftsDarkValues: false)
        let lifted = HistogramEqualisation.table(counts: counts, liftsDarkValues: true)
        for (before, after) in zip(plain, lifted) {
            switch before {
            case 0: #expect(after == 0)
            case 1: #expect(after == 30)
            case 149: #expect(after == 149)
            case 150...: #expect(after == before)
            default: #expect(after > 30 && after < 150)
            }
        }
        #expect(plain.contains(1) && plain.contains(149) && plain[0] == 0 && plain[254] >= 253)
    }
}
