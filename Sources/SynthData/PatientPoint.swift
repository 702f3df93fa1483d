/// A place in the made-up patient in millimetres: x to the patient's right, y to the front, z to the head; the middle
/// of the chest is at x = y = 0, and z begins at the first slice.
struct PatientPoint {
    var x: Float
    var y: Float
    var z: Float

    init(_ x: Float, _ y: Float, _ z: Float) { (self.x, self.y, self.z) = (x, y, z) }

    static func + (a: PatientPoint, b: PatientPoint) -> PatientPoint { PatientPoint(a.x + b.x, a.y + b.y, a.z + b.z) }
    static func - (a: PatientPoint, b: PatientPoint) -> PatientPoint { PatientPoint(a.x - b.x, a.y - b.y, a.z - b.z) }
    static func * (a: PatientPoint, s: Float) -> PatientPoint { PatientPoint(a.x * s, a.y * s, a.z * s) }

    func dot(_ b: PatientPoint) -> Float { x * b.x + y * b.y + z * b.z }
    var length: Float { dot(self).squareRoot() }
    var direction: PatientPoint { self * (1 / max(length, 1e-6)) }
    func cross(_ b: PatientPoint) -> PatientPoint {
        PatientPoint(y * b.z - z * b.y, z * b.x - x * b.z, x * b.y - y * b.x)
    }
}
