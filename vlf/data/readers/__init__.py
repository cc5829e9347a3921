"""Films: video files and folders of images, read frame by frame.

A frame is a picture that a player shows (FFmpeg decoding the whole file), in the order and the
orientation in which it shows it. Hidden pictures, leading pictures that cannot be decoded, cover
pictures and pictures outside of an edit list are no frames.

    container   opening a file: which containers and which stream are read
    index       number -> time stamp of all frames of a film, and where decoding can begin
    packets     what the index is made from: one pass over a file, and what a packet shows
    reader      frames by their number in an index, by seeks where they save decoding
    films       the three ways to number frames: as they come, by steps of time, in a part by time
    images      image files, and folders of them
    picture     a decoded picture -> upright RGB
"""

RULES = 3  # version of what a frame is; packs and kept answers of another version are not used
