"""Kernels of the rendering of synthetic faces: painting of textures, lighting of vertices, and colours of pixels."""

import numpy as np

from ddfa.arrays import Float32, Int32, UInt8
from ddfa.compiling import compiled

_ROOT3 = np.float32(np.sqrt(3.0))
_WET_POWER, _SKIN_POWER = 90, 12
# Unsigned: Numba then emits no test for negative indices.
_U = np.uint64
_A, _B, _C, _D, _E, _F = (_U(k) for k in range(6))
_ZERO, _ONE = np.float32(0), np.float32(1)


@compiled
def paint_over(texture: Float32, colour: Float32, cover: Float32) -> None:
    """Blend a colour onto a texture in place; most covers are 0 nearly everywhere, where nothing is read or written.

    Args:
        texture: (S, S, 3), changed.
        colour: (S, S, 3), or (1, 1, 3) for one colour.
        cover: (S, S) opacity in [0, 1].
    """
    one = colour.shape[0] == 1
    for y in range(texture.shape[0]):
        for x in range(texture.shape[1]):
            share = cover[y, x]
            if share > 0:
                i, j = (0, 0) if one else (y, x)
                for c in range(3):
                    texture[y, x, c] += (colour[i, j, c] - texture[y, x, c]) * share


@compiled
def light_vertices(
    normals: Float32, light: Float32, occlusion: Float32, half: Float32, wet: Float32, oily: Float32, radiance: Float32
) -> None:
    """Compute the radiance of vertices; those beyond the head are of two-sided sheets.

    Args:
        normals: (V, 3) unit, camera axes; those of sheets are turned to the viewer.
        light: (9, 3) coefficients, see `ddfa.raster.lighting`.
        occlusion: (K,) share of the light that reaches each vertex of the head, K <= V.
        half: (3,) unit, between the main light and the viewer.
        wet: (K,) strength of narrow highlights.
        oily: (K,) strength of wide highlights.
        radiance: (V, 4), the result: diffuse radiance of a white surface, specular radiance.
    """
    count = _U(len(occlusion))
    for v in range(_U(len(normals))):
        x, y, z = normals[v, 0], normals[v, 1], normals[v, 2]
        if v >= count and z < -0.1:
            x, y, z = -x, -y, -z
            normals[v, 0], normals[v, 1], normals[v, 2] = x, y, z
        xy, yz, xz = _ROOT3 * x * y, _ROOT3 * y * z, _ROOT3 * x * z
        zz, xx = (3 * z * z - _ONE) / 2, _ROOT3 / 2 * (x * x - y * y)
        share = occlusion[v] if v < count else _ONE
        for c in range(_U(3)):
            value = light[0, c] + light[1, c] * x + light[2, c] * y + light[3, c] * z
            value += light[4, c] * xy + light[5, c] * yz + light[6, c] * zz + light[7, c] * xz + light[8, c] * xx
            radiance[v, c] = max(value, _ZERO) * share
        bright = _ZERO
        if v < count:
            mirror = max(x * half[0] + y * half[1] + z * half[2], _ZERO)
            if wet[v] > 0:
                bright += wet[v] * mirror**_WET_POWER
            if oily[v] > 0:
                bright += oily[v] * mirror**_SKIN_POWER
        radiance[v, 3] = bright * share


@compiled
def colour_pixels(
    index: Int32, barycentric: Float32, triangles: Int32, uv: Float32, texture: Float32, colours: Float32,
    radiance: Float32, detail_at: Int32, detail: Float32, fine: int, image: Float32,
) -> None:  # fmt: skip
    """Colour the pixels of a raster and average blocks of them into an image with its coverage.

    The reflectance of a pixel comes from `detail`, from the texture of the head, or from the vertices of sheets.

    Args:
        index: (fine H, fine W) visible triangle, -1 for none.
        barycentric: (fine H, fine W, 3).
        triangles: (T, 3); the first len(uv) are those of the head.
        uv: (T', 6) texture px: x and y of the three corners.
        texture: (S, S, 3) reflectance.
        colours: (V, 3) reflectance of the vertices of sheets, those after the head.
        radiance: (V', 4) of all vertices, see `light_vertices`.
        detail_at: (fine H, fine W) row of `detail`, -1 for none.
        detail: (D, 4) reflectance and specular radiance, -1 for that of the vertices.
        fine: side of a block in px.
        image: (H, W, 4), initially 0: RGB and coverage.
    """
    share = _ONE / np.float32(fine * fine)
    limit = np.float32(len(texture) - 1.001)
    heads, first = _U(len(uv)), _U(len(radiance) - len(colours))
    block = _U(fine)
    for y in range(_U(index.shape[0])):
        row = y // block
        for x in range(_U(index.shape[1])):
            if index[y, x] < 0:
                continue
            t, column = _U(np.uint32(index[y, x])), x // block
            wa, wb, wc = barycentric[y, x, _A], barycentric[y, x, _B], barycentric[y, x, _C]
            a, b, c = _U(np.uint32(triangles[t, _A])), _U(np.uint32(triangles[t, _B])), _U(np.uint32(triangles[t, _C]))
            shine = wa * radiance[a, _D] + wb * radiance[b, _D] + wc * radiance[c, _D]
            if detail_at[y, x] >= 0:
                k = _U(np.uint32(detail_at[y, x]))
                if detail[k, _D] >= 0:
                    shine = detail[k, _D]
                red, green, blue = detail[k, _A], detail[k, _B], detail[k, _C]
            elif t < heads:
                u = wa * uv[t, _A] + wb * uv[t, _C] + wc * uv[t, _E]
                v = wa * uv[t, _B] + wb * uv[t, _D] + wc * uv[t, _F]
                u, v = min(max(u, _ZERO), limit), min(max(v, _ZERO), limit)
                i, j = _U(v), _U(u)
                down, right = v - np.float32(i), u - np.float32(j)
                i1, j1 = i + _U(1), j + _U(1)
                w00, w01 = (_ONE - down) * (_ONE - right), (_ONE - down) * right
                w10, w11 = down * (_ONE - right), down * right
                red = w00 * texture[i, j, _A] + w01 * texture[i, j1, _A]
                red += w10 * texture[i1, j, _A] + w11 * texture[i1, j1, _A]
                green = w00 * texture[i, j, _B] + w01 * texture[i, j1, _B]
                green += w10 * texture[i1, j, _B] + w11 * texture[i1, j1, _B]
                blue = w00 * texture[i, j, _C] + w01 * texture[i, j1, _C]
                blue += w10 * texture[i1, j, _C] + w11 * texture[i1, j1, _C]
            else:
                p, q, r = a - first, b - first, c - first
                red = wa * colours[p, _A] + wb * colours[q, _A] + wc * colours[r, _A]
                green = wa * colours[p, _B] + wb * colours[q, _B] + wc * colours[r, _B]
                blue = wa * colours[p, _C] + wb * colours[q, _C] + wc * colours[r, _C]
            red *= wa * radiance[a, _A] + wb * radiance[b, _A] + wc * radiance[c, _A]
            green *= wa * radiance[a, _B] + wb * radiance[b, _B] + wc * radiance[c, _B]
            blue *= wa * radiance[a, _C] + wb * radiance[b, _C] + wc * radiance[c, _C]
            image[row, column, _A] += share * (red + shine)
            image[row, column, _B] += share * (green + shine)
            image[row, column, _C] += share * (blue + shine)
            image[row, column, _D] += share


@compiled
def expose(image: Float32, noise: Float32, strength: float, shoulder: float, photo: UInt8) -> None:
    """Apply a tone curve and noise to an image, and round it.

    Args:
        image: (N,) values, 1 is white.
        noise: (N,) standard normal.
        strength: standard deviation of the noise to add.
        shoulder: value above which the curve flattens towards 1.
        photo: (N,) the result.
    """
    low, grain = np.float32(shoulder), np.float32(255 * strength)
    above, scale, white = _ONE - low, _ONE / (_ONE - low), np.float32(255)
    for k in range(_U(len(image))):
        # (27 t + t^3) / (27 + 9 t^2) is the hyperbolic tangent within 0.02, and 1 at t = 3.
        over = min(max(image[k] - low, _ZERO) * scale, np.float32(3))
        square = over * over
        curve = over * (np.float32(27) + square) / (np.float32(27) + np.float32(9) * square)
        value = white * (min(image[k], low) + above * curve) + grain * noise[k] + np.float32(0.5)
        photo[k] = np.uint8(min(max(value, _ZERO), white))
