from base64 import b64encode

import pytest

from plugins.filter.picture_names import picture_names

HEADER = 'animal_name,lat,animal_images'
TEXT = f'{HEADER}\r\nRosie,1,"static/Rosie, asleep.jpg \n"\r\nOtto,2,\r\nNori,3,static\\nori.jpg\r\n'
PICTURES = ['static/Rosie, asleep.jpg', 'static/nori.jpg']


def names_in(content: bytes) -> list[str]:
    return picture_names(b64encode(content).decode())


@pytest.mark.parametrize(
    'content',
    [
        TEXT.encode(),
        TEXT.encode('utf-8-sig'),
        TEXT.encode('utf-16'),
        b'\xfe\xff' + TEXT.encode('utf-16-be'),
        TEXT.replace(HEADER, 'Animal name,LAT,Animal Images').encode(),
        f',,,\r\n\r\n{TEXT}'.encode(),
        b'sep=;\r\n"animal_name";"lat";"animal_images"\r\nRosie;1,5;"static/Rosie, asleep.jpg"\r\nNori;3;static/nori.jpg;;\r\n',
        b'animal_images\tlat\nstatic/nori.jpg\t1\nstatic/Rosie, asleep.jpg\t2\n',
    ],
)
def test_lists_the_pictures_of_a_file_from_a_spreadsheet(content):
    assert names_in(content) == PICTURES


@pytest.mark.parametrize('content', [b'', b'\r\n', b'PK\x03\x04\x00xl/', b'\xff\xd8\xff\xe0\x00', b'name,lat\nOtto,1\n', b'\xff\xfe\x00'])
def test_lists_nothing_in_a_file_of_another_kind(content):
    assert names_in(content) == []
