// exp and log of 16 numbers: polynomials of our own, so that every machine gives the same bits. Included once per
// instruction set.
#ifndef QUINTET_EXPONENTIAL_FAST_H
#define QUINTET_EXPONENTIAL_FAST_H

// exp of x <= 0, relative error below 2e-7; below -87 it stays at exp(-87), which no sum of a softmax can see.
INLINE v16 exp_negative(v16 x) {
    x = SELECT(x < -87.0f, SPLAT(-87.0f), x);
    v16 shifted = FMA(x, SPLAT(1.44269504088896341f), SPLAT(12582912.0f));
    v16 n = shifted - 12582912.0f;
    v16 r = FMA(n, SPLAT(-0.693359375f), x);
    r = FMA(n, SPLAT(2.12194440e-4f), r);
    v16 p = SPLAT(1.9875691500e-4f);
    p = FMA(p, r, SPLAT(1.3981999507e-3f));
    p = FMA(p, r, SPLAT(8.3334519073e-3f));
    p = FMA(p, r, SPLAT(4.1665795894e-2f));
    p = FMA(p, r, SPLAT(1.6666665459e-1f));
    p = FMA(p, r, SPLAT(5.0000001201e-1f));
    p = FMA(p, r * r, r) + 1.0f;
    i16 exponent = ((i16)shifted - 0x4B400000 + 127) << 23;
    return p * (v16)exponent;
}

// exp of any x, relative error below 2e-7; infinite above 88, exp(-87) below -87.
INLINE v16 exp_any(v16 x) {
    v16 e = exp_negative(SELECT(x > 88.0f, SPLAT(88.0f), x));
    return SELECT(x > 88.0f, SPLAT(__builtin_inff()), e);
}

// Natural logarithm of x that is not below the smallest normal float, absolute error below 1e-7 * (1 + |log x|). Its
// name is from where it is used first.
INLINE v16 log_above_one(v16 x) {
    i16 bits = (i16)x;
    i16 exponent = (bits >> 23) - 127;
    v16 m = (v16)((bits & 0x007FFFFF) | 0x3F800000);
    i16 large = m > 1.41421356f;
    m = SELECT(large, m * 0.5f, m);
    v16 e = __builtin_convertvector(exponent - large, v16), f = m - 1.0f, z = f * f;
    v16 p = SPLAT(7.0376836292e-2f);
    p = FMA(p, f, SPLAT(-1.1514610310e-1f));
    p = FMA(p, f, SPLAT(1.1676998740e-1f));
    p = FMA(p, f, SPLAT(-1.2420140846e-1f));
    p = FMA(p, f, SPLAT(1.4249322787e-1f));
    p = FMA(p, f, SPLAT(-1.6668057665e-1f));
    p = FMA(p, f, SPLAT(2.0000714765e-1f));
    p = FMA(p, f, SPLAT(-2.4999993993e-1f));
    p = FMA(p, f, SPLAT(3.3333331174e-1f));
    v16 y = FMA(e, SPLAT(-2.12194440e-4f), p * f * z);
    y = FMA(z, SPLAT(-0.5f), y) + f;
    return FMA(e, SPLAT(0.693359375f), y);
}
#endif
