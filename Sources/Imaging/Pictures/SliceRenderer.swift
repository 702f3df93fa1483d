/// Turns slices of a volume into pictures as radiologists look at them: anterior (or superior) up, the patient's right
/// on the left-hand side. Works on volumes of any stored orientation.
public struct SliceRenderer: Sendable {
    public enum View: Sendable {
        /// Slices counted from inferior to superior; seen from the feet.
        case axial
        /// Slices counted from posterior to anterior; seen from the front.
        case coronal
        /// Slices counted from left to right; anterior on the left-hand side.
        case sagittal

        /// Which way the picture's columns, its rows and the slice number run.
        fileprivate var orientation: Orientation {
            switch self {
            case .axial: Orientation(code: "LPS")!
            case .coronal: Orientation(code: "LIA")!
            case .sagittal: Orientation(code: "PIR")!
            }
        }
    }

    /// A mask drawn over the slice.
    public struct Overlay: Sendable {
        /// Of the volume's shape.
        public var mask: Mask
        public var colour: Colour
        /// 0: only the outline; above, the inside is tinted with this opacity too.
        public var opacity: Double

        public init(mask: Mask, colour: Colour, opacity: Double = 0) {
            (self.mask, self.colour, self.opacity) = (mask, colour, opacity)
        }
    }

    /// Value that is black ... value that is white.
    public var range: ClosedRange<Float>
    public var view: View
    /// Size of a (square) pixel; nil: one pixel a voxel.
    public var pixelMM: Double?

    public init(range: ClosedRange<Float>, view: View = .axial, pixelMM: Double? = nil) {
        precondition(range.lowerBound < range.upperBound && (pixelMM ?? 1) > 0)
        (self.range, self.view, self.pixelMM) = (range, view, pixelMM)
    }

    /// The lung window: centre -600, width 1500 HU.
    public static let lungWindow: ClosedRange<Float> = -1350...150

    /// How many slices the volume has in this view.
    public func sliceCount(_ volume: Volume<Float>) -> Int {
        Raster(volume, view: view, pixelMM: nil).sliceCount
    }

    /// One slice with its overlays, the later ones on top.
    /// - Parameter slice: counted as `View` says, whatever the stored order.
    public func picture(_ volume: Volume<Float>, slice: Int, overlays: [Overlay] = []) -> Picture {
        let raster = Raster(volume, view: view, pixelMM: pixelMM)
        precondition(slice >= 0 && slice < raster.sliceCount, "slice \(slice) of \(raster.sliceCount)")
        var picture = Picture(width: raster.columns.count, height: raster.rows.count)
        let scale = 255 / (range.upperBound - range.lowerBound)
        for y in 0 ..< picture.height {
            for x in 0 ..< picture.width {
                let value = volume.voxels[raster.index(slice: slice, x: x, y: y)]
                let level = min(max((value - range.lowerBound) * scale, 0), 255).rounded()
                let grey = UInt8(level.isNaN ? 0 : level)
                picture[x, y] = Colour(red: grey, green: grey, blue: grey)
            }
        }
        for overlay in overlays {
            precondition(overlay.mask.shape == volume.shape, "an overlay has its volume's shape")
            draw(overlay, onto: &picture, raster: raster, slice: slice)
        }
        return picture
    }

    private func draw(_ overlay: Overlay, onto picture: inout Picture, raster: Raster, slice: Int) {
        let (width, height) = (picture.width, picture.height)
        var inside = [Bool](repeating: false, count: width * height)
        for y in 0 ..< height {
            for x in 0 ..< width {
                inside[y * width + x] = overlay.mask.voxels[raster.index(slice: slice, x: x, y: y)] > 0
            }
        }
        for y in 0 ..< height {
            for x in 0 ..< width where inside[y * width + x] {
                let isRim = x == 0 || y == 0 || x == width - 1 || y == height - 1
                    || !inside[y * width + x - 1] || !inside[y * width + x + 1]
                    || !inside[(y - 1) * width + x] || !inside[(y + 1) * width + x]
                if isRim {
                    picture[x, y] = overlay.colour
                } else if overlay.opacity > 0 {
                    picture[x, y] = picture[x, y].mixed(with: overlay.colour, share: overlay.opacity)
                }
            }
        }
    }
}

extension Picture {
    /// Of an axial or coronal slice: the patient's R and L, and a bar of 50 mm.
    public mutating func markSides(pixelMM: Double) {
        let middle = height / 2 - BitmapFont.height / 2, length = Int((50 / pixelMM).rounded())
        label("R", x: 3, y: middle)
        label("L", x: width - BitmapFont.width - 3, y: middle)
        guard length + 8 <= width, height > 3 * BitmapFont.height else { return }
        for x in 3 ..< 5 + length {
            for y in height - 6 ..< height - 2 {
                self[x, y] = x > 3 && x < 4 + length && (height - 5 ..< height - 3).contains(y) ? .white : .black
            }
        }
        label("50 mm", x: 4, y: height - 8 - BitmapFont.height)
    }

    /// On black, so that it is read on bone and fat, too.
    private mutating func label(_ text: String, x: Int, y: Int) {
        let width = text.count * BitmapFont.advance + 1
        place(Picture(width: width, height: BitmapFont.height + 2), x: x - 1, y: y - 1)
        write(text, x: x, y: y)
    }
}

extension Colour {
    func mixed(with other: Colour, share: Double) -> Colour {
        func mix(_ a: UInt8, _ b: UInt8) -> UInt8 {
            UInt8(min(max(Double(a) + (Double(b) - Double(a)) * share, 0), 255).rounded())
        }
        return Colour(
            red: mix(red, other.red), green: mix(green, other.green), blue: mix(blue, other.blue))
    }
}

/// Which voxel each pixel shows.
private struct Raster {
    let sliceCount: Int
    /// The voxel column of each pixel column, the voxel row of each pixel row.
    let columns: [Int]
    let rows: [Int]
    private let stride: (start: Int, z: Int, y: Int, x: Int)

    init<Element>(_ volume: Volume<Element>, view: SliceRenderer.View, pixelMM: Double?) {
        let moves = AxisMoves(from: Orientation(nearestTo: volume.geometry), to: view.orientation)
        let (shape, geometry) = moves.apply(volume.shape, volume.geometry)
        stride = moves.strides(in: volume.shape)
        sliceCount = shape.depth
        func pick(_ count: Int, _ spacingMM: Double) -> [Int] {
            guard let pixelMM else { return Array(0 ..< count) }
            let ratio = pixelMM / spacingMM
            let pixelCount = max(1, Int((Double(count) / ratio).rounded()))
            return (0 ..< pixelCount).map { min(Int((Double($0) + 0.5) * ratio), count - 1) }
        }
        columns = pick(shape.width, geometry.spacing.xMM)
        rows = pick(shape.height, geometry.spacing.yMM)
    }

    func index(slice: Int, x: Int, y: Int) -> Int {
        stride.start + slice * stride.z + rows[y] * stride.y + columns[x] * stride.x
    }
}
