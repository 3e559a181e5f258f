"""The pixels behind the embedded data set: faces drawn from parameters.

`parameters` says who is drawn, which facial action units are at work and how the face is seen;
`faces` and `non_faces` turn those numbers into grey 48x48 pictures; `sheet` shows some of them:

    bits = np.random.PCG64(7)
    faces = draw_faces(people(bits, 5) | actions(bits, labels, intensity) | views(bits, 5), bits)

**Same bytes on every machine.** `data.dvc` in git names the md5 of the drawn files, so nothing
here may depend on a library's or a processor's habits. Random numbers come from
`PCG64.random_raw` alone, the one stream that NumPy promises never to change (methods of
`Generator` may), and are made into uniforms by integer shifts. Drawing uses only operations that
IEEE 754 rounds correctly (+ - * / sqrt) with comparisons and integers, one ufunc at a time: no
sin, exp or pow, whose last digit differs between maths libraries, and no sum, mean or dot, whose
order of addition follows the width of the processor's vectors.
"""
