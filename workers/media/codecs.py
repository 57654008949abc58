"""Decoders that an upload may choose, by FFmpeg's names: what cameras, phones, editors and the web write."""

_VIDEO = """
    h264 hevc vvc vp8 vp9 libdav1d av1 libvpx libvpx-vp9 mpeg1video mpeg2video mpegvideo mpeg4 h261 h263 h263i h263p
    msmpeg4 msmpeg4v1 msmpeg4v2 wmv1 wmv2 wmv3 wmv3image vc1 vc1image vp3 vp4 vp5 vp6 vp6a vp6f theora flv flashsv
    flashsv2 svq1 svq3 rv10 rv20 rv30 rv40 cinepak indeo3 indeo4 indeo5 msvideo1 msrle qtrle rpza smc 8bps
    mjpeg mjpegb jpeg2000 jpegls png apng gif webp bmp tiff targa ppm
    prores dnxhd cfhd dvvideo hap magicyuv utvideo huffyuv ffvhuff ffv1 lagarith
    rawvideo v210 v210x v308 v408 v410 r210 r10k yuv4 y41p uyvy
"""
_AUDIO = """
    aac aac_fixed aac_latm mp1 mp1float mp2 mp2float mp3 mp3float mp3adu mp3adufloat ac3 ac3_fixed eac3 dca truehd mlp
    opus libopus vorbis flac alac wavpack ape tta als speex amrnb amrwb libopencore_amrnb libopencore_amrwb gsm gsm_ms
    wmav1 wmav2 wmapro wmalossless wmavoice cook sipr ra_144 real_144 real_288 ralf atrac3 atrac3plus qcelp qdm2 qdmc
    nellymoser pcm_alaw pcm_mulaw pcm_s8 pcm_u8 pcm_s16le pcm_s16be pcm_u16le pcm_u16be pcm_s24le pcm_s24be pcm_s32le
    pcm_s32be pcm_f32le pcm_f32be pcm_f64le pcm_f64be pcm_bluray pcm_dvd pcm_s8_planar pcm_s16le_planar
    pcm_s16be_planar s302m dvaudio adpcm_ms adpcm_ima_wav adpcm_ima_qt adpcm_swf adpcm_yamaha g722 g726 g726le mace3
    mace6
"""

DECODERS = frozenset(_VIDEO.split()) | frozenset(_AUDIO.split())
WHITELIST = ",".join(sorted(DECODERS))
"""As FFmpeg's option ``codec_whitelist`` takes it."""
